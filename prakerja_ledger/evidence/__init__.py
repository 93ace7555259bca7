"""Why a history can be trusted: its wire form, read strictly and written as it came."""
