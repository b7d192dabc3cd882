command -v gnuplot > /dev/null || { echo "gnuplot is not installed" >&2; exit 77; }
ckpt plot "$DATA/run/epoch-40.pt" -o x.svg
ckpt plot "$DATA/run/epoch-40.pt" log/train_loss -o x.png
ckpt plot "$DATA/pyhopper/nan_min.ckpt" -o x.pdf
head -c 4 x.pdf; echo
od -A n -t x1 -N 4 x.png
grep -o '<title>Gnuplot</title>' x.svg
ckpt plot "$DATA/run/epoch-40.pt" -o x.svg
echo $?
ckpt plot "$DATA/run/epoch-40.pt" -o nowhere/x.svg
echo $?
ckpt plot "$DATA/run/epoch-40.pt" log/train_loss | grep -c train_loss
ls
