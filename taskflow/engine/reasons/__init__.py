"""Why a run does not start, does not go on, or has not completed, in one sentence with a code. Pure."""
