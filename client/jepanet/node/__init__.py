"""Where everything is joined: configuration, engine, worker, application."""
