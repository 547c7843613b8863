"""When the nightly run starts: cron, systemd, or a process that stays."""
