"""Scripts that measure and print ratios; run one alone, or all through `make bench`."""
