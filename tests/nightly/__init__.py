"""The big sizes of everything that has them: rehearsals, mutants, properties, kills, fuzzing.

python -m tests.nightly                 all of it, as much as a night holds
python -m tests.nightly --scale 0.01    a hundredth of it
python -m tests.nightly --only rehearse

What is done is kept in a state file: started again after an end of any kind it goes on where it was, and repeats what
failed. It knows the commit and the size that it belongs to, and nothing is mixed.
"""
