"""Personal data on its way in and out: what policies ask for, done in one place for every way of asking."""
