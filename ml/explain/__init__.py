"""What models see: heat maps of images (`heat`), laid over them (`overlay`), a detector's boxes and
crops (`boxes`), and what the characters of a title say (`titles`); `run` writes them to a
folder."""
