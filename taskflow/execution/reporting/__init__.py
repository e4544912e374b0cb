"""What an executing run tells about itself: metadata, tags, log lines. Gathers; others send it."""
