"""The simulated campaign of `annotation.quality` on the real platform: tasks through Label Studio,
answers through the gateway, and our own consensus, gold and holds in between."""
