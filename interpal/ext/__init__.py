"""Extensions of the clients: `interpal.ext.commands`, bots that answer to commands."""
