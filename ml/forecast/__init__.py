"""What labels are likely to buy before they are asked for, and what chosen ones bought over random
ones: linear heads on a classifier's embeddings, learned with and without them."""
