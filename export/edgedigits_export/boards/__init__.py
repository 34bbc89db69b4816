"""What exported files cost on microcontrollers, measured in emulators."""
