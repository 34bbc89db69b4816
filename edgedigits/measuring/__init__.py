"""What files are judged by: accuracy, agreement, latency, memory."""
