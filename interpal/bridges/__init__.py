"""A vault where other libraries have a hook for one. Each module needs the library it is for."""
