"""When the nightly run starts: cron or systemd."""
