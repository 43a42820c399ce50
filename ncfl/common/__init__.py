"""What every part uses: errors, files, the console, the device."""
