"""The warm child process: protocol, server and client."""
