"""What labels buy: campaigns of labelling on frozen embeddings, strategy against strategy."""
