"""A session kept, for any service: waiting, events, refused logins and one login for all."""
