"""Yahoo Finance through yfinance: session, pacing, answers, bars, incremental updates."""
