"""The checks: one module each, pure, evidence in and result out. `registry` lists them and runs them."""
