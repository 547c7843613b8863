"""Fetch prices, train a small network on a DataFrame of them, predict: twenty lines."""

import forecaster as fc

home = fc.Home("stocks")
home.fetch(source="sample")  # twenty stocks that ship with the tool; source="yahoo" for today's prices
prices = home.prices(["AAPL", "MSFT", "KO", "JNJ", "XOM"])  # or your own: ticker, date, close, …

recipe = fc.Recipe(cell="gru", lookback=60, horizon=5, epochs=2)
model = fc.train(prices, recipe)
print(model.scores[["model", "step", "crps", "skill", "p_value", "coverage_90"]].to_string(index=False))

forecast = model.predict(["AAPL", "KO"], prices=prices, levels=(50, 90))
print(forecast.to_string(index=False, float_format="{:.2f}".format))

model.save("stocks", "quickstart")
print(fc.load_model("quickstart", home="stocks"))  # predicts without TensorFlow
