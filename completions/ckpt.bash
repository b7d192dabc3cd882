# bash completion for ckpt
_ckpt() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words=
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "ls last path inspect get convert extract merge diff verify scan prune plot formats --help --version" -- "$cur"))
        return
    fi
    case $prev in
        --by) COMPREPLY=($(compgen -W "epoch step iter task run batch time" -- "$cur")); return ;;
        --to | --from | -t | -f) COMPREPLY=($(compgen -W "$(ckpt formats --json 2>/dev/null | sed -n 's/.*"name": "\(.*\)".*/\1/p')" -- "$cur")); return ;;
        --compress) COMPREPLY=($(compgen -W "zstd gzip zlib deflate" -- "$cur")); return ;;
        --codec) COMPREPLY=($(compgen -W "auto raw" -- "$cur")); return ;;
        --julia) COMPREPLY=($(compgen -W "dict namedtuple" -- "$cur")); return ;;
        --role) COMPREPLY=($(compgen -W "model optimizer scheduler hyper-parameters log other" -- "$cur")); return ;;
        --format) COMPREPLY=($(compgen -W "text json csv npy raw" -- "$cur")); return ;;
        --prefer) COMPREPLY=($(compgen -W "first last" -- "$cur")); return ;;
        --cast) COMPREPLY=($(compgen -W "bf16 f16 f32 f64 f8_e4m3 f8_e5m2" -- "$cur")); return ;;
        --direction) COMPREPLY=($(compgen -W "min max" -- "$cur")); return ;;
        --digest) COMPREPLY=($(compgen -W "xxh3 sha256" -- "$cur")); return ;;
    esac
    case $command in
        ls) words="--by --pattern --series --valid --full --indices --json --null --long --recursive" ;;
        last) words="--prior-to --up-to --at --by --pattern --series --index --next --valid --full --json" ;;
        path) words="--next --by --pattern --series" ;;
        inspect) words="--stats --from --all --depth --tensors --json --digest --allow-huge --hist" ;;
        get) words="--from --json --format --output --overwrite --allow-huge" ;;
        convert) words="--from --all --trainer --fsdp --to --compress --codec --keep-layout --julia --shard-size --shards --metadata --weights-only --overwrite --max-output --allow-huge --allow-loss --cast --cast-only" ;;
        extract) words="--output --from --all --model-only --role --select --drop --rest --salvage --to --compress --codec --keep-layout --julia --shard-size --shards --metadata --weights-only --overwrite --max-output --allow-huge --allow-loss --ema --strip-prefix --add-prefix --rename --cast --cast-only --contiguous" ;;
        merge) words="--output --from --direction --to --compress --codec --keep-layout --julia --shard-size --shards --metadata --weights-only --overwrite --max-output --allow-huge --allow-loss --last --prior-to --up-to --at --by --pattern --series --average --weights --ema --slerp --base --task-arithmetic --ties --dare --lambda --density --seed --average-also --fast --cast --cast-only --union --prefer" ;;
        diff) words="--rtol --atol --ulp --ignore --names-only --values-only --limit --from --json --allow-huge" ;;
        plot) words="--output --overwrite --data --json --log --bars --title --from --prior-to --up-to --at --by --pattern --series --allow-huge" ;;
        prune) words="--keep-last --keep-first --keep-every --closest --keep-best --metric --mode --keep-within --keep-hourly --keep-daily --keep-weekly --keep --keep-glob --remove-invalid --remove-tmp --min-age --full --strip --trash --dry-run --yes --unsafe-allow-remove-all --recursive --json --by --pattern --series" ;;
        scan) words="--all --json --jsonl" ;;
        verify) words="--full --sample --seed --values --from --json --by --pattern --series" ;;
        formats) words="--json" ;;
    esac
    case $cur in
        -*) COMPREPLY=($(compgen -W "$words --quiet --verbose --progress --no-progress --allow-external --threads --help" -- "$cur")) ;;
        *) COMPREPLY=($(compgen -f -- "$cur")) ;;
    esac
}
complete -o filenames -F _ckpt ckpt
