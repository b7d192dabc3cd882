# The model of a Mammoth checkpoint for its --loadcheck: the network's names behind net., ties kept.
ckpt extract --role model "$DATA/mammoth/checkpoints/sgd_seq-mnist_mlp-small_0_1_20240301-081500_89abcdef_0.pt" -o backbone.pt && ckpt inspect backbone.pt
