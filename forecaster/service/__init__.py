"""What runs unattended: prediction, retraining and its gate, the nightly run, schedules, doctor."""
