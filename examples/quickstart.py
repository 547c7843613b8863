"""Train a small network on prices in a DataFrame, predict, compare with the baselines: 20 lines."""

import forecaster as fc
from forecaster.prices.sample import sample_frame

prices = sample_frame(["AAPL", "MSFT", "KO", "JNJ", "XOM"])  # or your own: ticker, date, close, …
recipe = fc.Recipe(cell="gru", lookback=60, horizon=5, epochs=2)

model = fc.train(prices, recipe)
print(model.scores[["model", "step", "crps", "skill", "p_value", "coverage_90"]].to_string(index=False))

forecast = model.predict(["AAPL", "KO"], prices=prices, levels=(50, 90))
print(forecast.to_string(index=False))

saved = model.save("stocks", "quickstart")
print(fc.load_model("quickstart", home="stocks"), "is saved; it predicts without TensorFlow")
