"""The parts of the benchmark `scan`: the nets, the lines that are timed beside each other, what a
cascade loses, and memory."""
