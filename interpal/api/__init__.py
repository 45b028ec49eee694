"""What the site offers: every operation and endpoint, declared once for both clients."""
