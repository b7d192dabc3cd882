a="$DATA/run/epoch-10.pt"
b="$DATA/run/epoch-20.pt"
try() {
    ckpt merge "$a" "$b" -o m.pt "$@"
    echo $?
}
try --ties
try --average --slerp 0.5
try --dare --base "$a"
try --base "$a"
try --weights 1,2,3
try --weights 1,-1
try --prefer last
try --up-to 3
try --cast-only model
try --slerp 1.5
