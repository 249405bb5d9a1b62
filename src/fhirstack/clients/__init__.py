"""What real clients send, as data, and the one player that replays it."""
