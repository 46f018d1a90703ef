"""What tests are made with. No test module imports another one; what two of them need is here."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the project
