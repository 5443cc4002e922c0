"""The wire: an ASGI host, an HTTP client and a WebSocket client over any network of the world."""
