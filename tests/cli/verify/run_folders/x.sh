# What `ls` lists is verified, with all that belongs to it: as `ls`, `last --valid` and `prune` do.
pt="$DATA/run/epoch-10.pt"
for step in 500 1000 1500; do
    mkdir -p "hf/checkpoint-$step"
    for name in pytorch_model.bin optimizer.pt; do cp "$pt" "hf/checkpoint-$step/$name"; done
done
rm hf/checkpoint-1500/optimizer.pt && : > hf/checkpoint-1500/optimizer.pt
ckpt verify hf; echo "exit $?"
ckpt last --valid hf; echo "exit $?"
ckpt verify hf/checkpoint-1500/ --json; echo "exit $?"
echo '# a file for each rank, in folders and beside each other'
for step in 100 200; do
    for rank in 0 1; do mkdir -p "meg/iter_0000$step/mp_rank_0$rank" && cp "$pt" "meg/iter_0000$step/mp_rank_0$rank/model_optim_rng.pt"; done
done
rm meg/iter_0000200/mp_rank_01/model_optim_rng.pt && head -c 3000 "$pt" > meg/iter_0000200/mp_rank_01/model_optim_rng.pt
ckpt verify meg | head -3
rm -r meg/iter_0000200/mp_rank_01 && cp -r meg/iter_0000100 meg/iter_0000300
ckpt verify meg; ckpt ls --valid --indices meg
mkdir comp && for batch in 10 20; do for rank in 0 1 2; do cp "$pt" "comp/ep1-ba$batch-rank$rank.pt"; done; done
rm comp/ep1-ba20-rank1.pt
ckpt verify comp; echo "exit $?"
echo '# a folder of tags'
mkdir ds && for step in 1 2 3; do cp -r "$DATA"/zero/zero2_2/global_step* "ds/global_step$step"; done && chmod -R u+w ds
printf global_step2 > ds/latest
rm ds/global_step3/*_model_states.pt
ckpt verify ds; echo "exit $?"
echo '# every tier goes through all files'
ckpt verify --values --full hf/checkpoint-500; echo "exit $?"
echo '# a number behind the name of a run makes no checkpoint of it'
mkdir seed_2 && cp "$pt" 'seed_2/a 3.pt' && cp "$pt" 'seed_2/b 4.pt' && ckpt verify seed_2
