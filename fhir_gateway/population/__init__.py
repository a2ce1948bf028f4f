"""Many records at once: bulk export to files, bulk import from files, both resumed where they were interrupted."""
