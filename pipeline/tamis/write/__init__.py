"""after, record → Release: stage beside, write Parquet, manifest and reports, then publish by one replaced symlink."""
