"""Knowledge of foreign programs: argv out, bytes in, values out. No I/O."""
