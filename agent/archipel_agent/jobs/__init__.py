"""Jobs: the engine that takes one job through its story, and the manager that starts, resumes, watches and stops jobs."""
