# A Namespace is a dict, NumPy's numbers are numbers, tuples stay; what has no equal is listed and refused.
from=$DATA/mammoth/checkpoints
old=derpp_seq-mnist_None_8_1_20230505-101010_01d01d01_0.pt
ckpt convert --weights-only "$from/../old/$old" new.pt && ckpt inspect new.pt | sed 1,2d | tail -n 22
ckpt convert --weights-only "$from/odd_arguments_old_pickle.pt" odd.pt 2>&1; echo "exit $?"
ckpt convert --weights-only "$from/odd_arguments_old_pickle.pt" odd.pt --allow-loss 2>&1; echo "exit $?"
ckpt get odd.pt args/tuple2 && ckpt get odd.pt args/np_float && ckpt get odd.pt args/path && ckpt get odd.pt args/nested
ckpt convert --weights-only "$from/../old/$old" new.h5; echo "exit $?"
