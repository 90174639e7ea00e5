"""Training's sub-commands; thin: options in, one call, a result out."""
