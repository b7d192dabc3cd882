# What is printed can be given to any command.
touch ./-epoch-6.pt && ckpt last
