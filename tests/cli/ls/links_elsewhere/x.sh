# Links are shown with what they lead to where that is no checkpoint of the folder; what calls itself the last and holds less is told.
mkdir run far && cp $DATA/run/epoch-[13]0.pt run && cp $DATA/run/epoch-20.pt far && ln -s epoch-99.pt run/last.pt && ln -s ../far/epoch-20.pt run/best.pt && cp $DATA/run/epoch-10.pt run/latest.pt
ln -s gone run/latest && ln -s epoch-10.pt run/released && ln -s ../far/epoch-20.pt run/epoch-5.pt && touch -d '2026-01-02 10:00' run/epoch* run/latest.pt far/*
ckpt ls run | sed 's/ *[0-9]* [a-z]* ago / AGO /; s/model, .*other/.../'
ckpt ls run --json | sed -n '/"pointers"/,$p' | tr -d ' \n'; echo; ckpt ls run -l --json | grep -e '"target"' -e disagrees | head -8
