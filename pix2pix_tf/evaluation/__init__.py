"""How close the outputs are to their targets: metrics and the pages that show them."""
