# Scalars as they are, containers line by line, tensors as NumPy prints them; JSON of the same.
cd "$DATA"
ckpt get pyhopper/quantile.midrun.ckpt best_solution
ckpt get pyhopper/quantile.midrun.ckpt best_solution --json
ckpt get pyhopper/quantile.midrun.ckpt best_f
ckpt get pyhopper/quantile.midrun.ckpt pruner
ckpt get run/epoch-40.pt model/encoder.bias
ckpt get run/epoch-40.pt optimizer/param_groups/0 --json
ckpt get numpy/f_order.npy
ckpt get numpy/f_order.npy --json | tr -d ' \n'; echo
ckpt get pickle/python_p4.pkl ints/24
ckpt get pickle/python_p4.pkl floats --json | tr -d ' \n'; echo
ckpt get run/epoch-40.pt epoch
