"""Words everyone shares: frozen types, enums, protocols, errors. No input or output, no dataframe import at run time."""
