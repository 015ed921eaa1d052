"""What happens when things break: real processes killed, real sockets cut. Counted on the receiving side."""
