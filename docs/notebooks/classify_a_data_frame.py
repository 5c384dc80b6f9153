# %% [markdown]
# # From a data frame to a deployed classifier
#
# This notebook trains a text classifier on a pandas data frame, looks at its mistakes, exports it
# as a SavedModel and predicts with only the export. It takes about half a minute on two cores.
#
# ## The data
# The Unicode consortium publishes the names of all countries and currencies in many languages, and
# the package Babel, which seqzoo needs anyway, includes them. Which language is a name written in?

# %%
import babel
import pandas as pd

languages = ["German", "Spanish", "Finnish", "Polish", "Turkish"]
codes = ["de", "es", "fi", "pl", "tr"]

frame = pd.DataFrame(
    [
        (item, name, language)
        for language, code in zip(languages, codes, strict=True)
        for names in (babel.Locale(code).territories, babel.Locale(code).currencies)
        for item, name in sorted(names.items())
    ],
    columns=["item", "name", "language"],
)
print(frame.sample(5, random_state=0).to_string(index=False))

# %% [markdown]
# Many names are the same in several languages ("Gabon", "Peru"). No classifier can tell these
# apart, so they are removed.

# %%
frame = frame[~frame.name.duplicated(keep=False)].reset_index(drop=True)
print(frame.language.value_counts().to_string())

# %% [markdown]
# ## Training and test data
# All names of one item belong on one side of the split. If "Kamerun" were in the training data and
# "Kamerún" in the test data, the score would be too good. So the items are split, not the rows.

# %%
from seqzoo.tasks import Examples, Splits

items = frame["item"].drop_duplicates().sample(frac=1, random_state=0).tolist()
tenth = len(items) // 10
frame["split"] = "train"
frame.loc[frame["item"].isin(items[:tenth]), "split"] = "test"
frame.loc[frame["item"].isin(items[tenth : 2 * tenth]), "split"] = "validation"


def examples(split):
    return Examples.from_columns(frame[frame.split == split], input="name", target="language")


splits = Splits(examples("train"), examples("validation"), examples("test"))
print(frame.split.value_counts().to_string())

# %% [markdown]
# ## Training
# The template for one label per text is `ManyToOne`. Names are short and the endings matter, so it
# reads characters, in both directions. The run folder keeps the model of the best epoch, the
# vocabulary and the settings.

# %%
from seqzoo.tasks import ManyToOne, TrainingSettings, train

task = ManyToOne(input="characters", cell="gru", units=32, embedding=16, bidirectional=True)
settings = TrainingSettings(epochs=8, batch_size=64, learning_rate=1e-2)
run = train(task, splits, settings, "runs/names")

history = pd.DataFrame(run.history)
columns = ["epoch", "loss", "validation_loss", "validation_accuracy"]
print(history[columns].tail(3).round(3).to_string(index=False))

# %% [markdown]
# ## Scores and mistakes

# %%
scores = run.evaluate(examples("test"))
print(f"{scores['accuracy']:.1%} of {scores['examples']} names")

test = frame[frame.split == "test"].copy()
predictions = run.predict(test.name)
test["predicted"] = [prediction.label for prediction in predictions]
test["probability"] = [round(prediction.probability, 2) for prediction in predictions]
mistakes = test[test.predicted != test.language].sort_values("probability", ascending=False)
print(mistakes[["name", "language", "predicted", "probability"]].head(5).to_string(index=False))

assert scores["accuracy"] > 0.8  # guessing is right one time in five
assert scores["accuracy"] == (test.predicted == test.language).mean()

# %% [markdown]
# ## Export
# The exported model takes strings and includes the vocabulary. The program that loads it needs
# TensorFlow, but neither seqzoo nor Keras.

# %%
run.export("exported")

# %%
import tensorflow as tf

names = ["Mars-Dollar", "dólar marciano", "Marsin dollari", "dolar marsjański", "Mars doları"]
exported = tf.saved_model.load("exported").signatures["serving_default"]
outputs = exported(tf.constant(names))
for name, label, probability in zip(
    names, outputs["label"].numpy(), outputs["probability"].numpy(), strict=True
):
    print(f"{name:17} {label.decode():8} {probability:.2f}")

# %% [markdown]
# It predicts what the run predicts:

# %%
assert [label.decode() for label in outputs["label"].numpy()] == [
    prediction.label for prediction in run.predict(names)
]
