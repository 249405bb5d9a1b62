"""The plane `hosts`: every host converged in one round trip over SSH."""
