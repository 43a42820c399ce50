"""What Python code calls; `import ncfl` offers it."""
