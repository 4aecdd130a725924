"""A peer with true keys, or a stranger, that wants to do harm; each test is named as its attack."""
