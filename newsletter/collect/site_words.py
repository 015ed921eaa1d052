"""The words with which sites speak of themselves, in many languages: accounts, comments, cookies, sharing. Data only.

Not sentences of any site, but the few notions that every site's own text turns on (``CONCEPTS``), the words by which it
addresses its reader (``TO_READER``, ``OF_SITE``), and the labels that stand over lists of other stories. What to make
of them is decided in ``boilerplate``, by where they stand and in what shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Scripts with letter case or spaces: the beginning of a word is looked for; the others are looked for as they stand.
_CASED: Mapping[str, str] = {
    "account": (
        r"(?:sign|log)(?:ged|ging|ning)?[ -]?(?:in|up|out|on)\b|registered (?:user|reader|member)s?|"
        r"regist(?:er|ration)\b|accounts?\b|(?:forgot(?:ten)?|your) password|usernames?\b|"
        r"connecte[rz]|s['’]identifier|identifie[rz]|inscri(?:vez|re|ption|t·e|t)|cré(?:er|ez) (?:un|votre|"
        r"mon) compte|votre compte|"
        r"mot de passe|déjà (?:abonné|inscrit)|anmelde?[nt]?\b|einlogg|eingeloggt|registrier|konto|passwort|"
        r"(?:inici[ae]r?|inicie) (?:la )?sesi[oó]n|reg[ií]str(?:at|es|ar|o)|(?:tu|su|una) cuenta|contraseña|"
        r"login\b|logi?n\b|entre com|cadastr|(?:sua|uma) conta|senha\b|accedi\b|registrat[io]|inloggen|meld (?:je|"
        r"u) aan|"
        r"logga in|logg inn|log ind|zaloguj|zarejestruj|войти|войдите|авториз|зарегистр|регистрац|аккаунт|парол|"
        r"увійти|"
        r"giriş yap|üye ol|kayıt ol|hesab|masuk\b|daftar (?:di|sekarang|akun)|mendaftar|akun\b|đăng (?:nhập|ký)|"
        r"tài khoản|kirjaudu"
    ),
    "membership": (
        r"subscri(?:b|pt)|memberships?\b|members?[ -]only|for members|member benefits?|become a (?:member|supporter)|"
        r"premium\b|"
        r"(?:additional|exclusive|subscriber) benefits|"
        r"unlock|unlimited (?:access|digital)|free (?:stor(?:y|ies)|articles?|trial)|full access|paywall|"
        r"digital access|"
        r"support (?:us|our|independent|quality|local|the|trustworthy)\b|donat(?:e|ion)\b|contribut(?:e|ion) (?:from|"
        r"today|to us)|"
        r"abonn|réservée?s? aux|il vous reste \d|reste à lire|(?:remaining|left) to read|soutenez|suscri[bpt]|"
        r"suscripci|hazte (?:soci|premium)|assine\b|assinantes?\b|assinatura|"
        r"seja (?:um )?(?:membro|assinante)|abbonat|abbonament|abonne|prenumer|tilaa\b|prenumerat|подпи(?:ск|сат|сыв|"
        r"ш)|передплат|"
        r"abone\b|üyelik|berlangganan|langganan|mở khóa"
    ),
    "newsletter": (
        r"newsletters?\b|e-?mail (?:alert|update|address|newsletter)|your (?:inbox|e-?mail)|mailing list|"
        r"push notification|notifications?\b|"
        r"breaking news alerts?|(?:daily|morning|weekly) (?:briefing|digest|e-?mail)s?\b|get (?:the|our|"
        r"all the) (?:latest|day|week|best|top|morning)|"
        r"infolettre|lettre d['’]info|votre (?:boîte|adresse)|benachrichtig|postfach|ihre e-?mail|bolet[ií]n|(?:su|"
        r"tu) (?:correo|e-?mail|bandeja)|"
        r"boletim|notifica[çc]|caixa de entrada|seu e-?mail|tua (?:casella|e-?mail)|nieuwsbrief|nyhetsbrev|"
        r"nyhedsbrev|uutiskirje|"
        r"рассылк|уведомлен|bülten|bildirim|buletin|notifikasi|bản tin"
    ),
    "comments": (
        r"comment(?:s|ing|ers?|ed|ary section)?\b|communit(?:y|ies) (?:guidelines|standards|rules)|house rules|"
        r"(?:be )?(?:abusive|off[- ]topic|defamatory|obscene)|moderat(?:e|ed|ion|ors?)\b|(?:join|"
        r"start) the (?:conversation|discussion)|"
        r"leave a (?:reply|comment)|have your say|commenting (?:platform|system)|be respectful|views expressed|"
        r"commentaires?\b|comment[eé]r?\b|réagi[rs]|kommentar|kommentier|diskutier|mitdiskut|netiquette|nettiquette|"
        r"comentari|comentar|comente\b|normas de (?:la )?(?:comunidad|participaci)|comentár|comentad|"
        r"regras d[ae] (?:comunidade|conduta)|"
        r"commenti?\b|comment[ai]re|reacties|reageer|reageren|komment|debattregler|komentarz|komentuj|комментар|"
        r"коментар|модерац|"
        r"yorum|komentar|bình luận|diễn đàn"
    ),
    "privacy": (
        r"cookies?\b|your privacy|privacy (?:policy|notice|settings|cent(?:re|er)|choices)|terms (?:of|and|&) \w+|"
        r"user agreement|gdpr\b|ccpa\b|"
        r"(?:your|give|withdraw) consent|personal(?:ised|ized)? (?:data|ads)|recaptcha|do not sell|"
        r"confidentialité|conditions (?:générales|d['’]utilisation)|données personnelles|mentions légales|traceurs|"
        r"datenschutz|nutzungsbedingung|einwillig|agb\b|impressum|privacidad|términos (?:y|de)|aviso legal|"
        r"datos personales|"
        r"privacidade|termos de (?:uso|serviço)|dados pessoais|informativa|condizioni d|kakor|integritetspolicy|"
        r"evästee|"
        r"privacybeleid|voorwaarden|polityk\w+ prywatności|ciastecz|регламент|cookie|куки|конфиденциальн|"
        r"персональн\w+ данн|"
        r"пользовательск\w+ соглаш|çerez|gizlilik|kişisel veri|kebijakan privasi|syarat (?:dan|&) ketentuan|"
        r"quyền riêng tư"
    ),
    "rights": (
        r"creative commons|may be republished|"
        r"^copyright\b.{0,40}$|"
        r"copyright (?:©|\(c\)|notice|(?:19|20)\d\d|belongs|reserved)|which is copyright|all rights reserved|"
        r"rights reserved|(?:may|must|can) ?not be (?:reproduced|republished|copied|redistributed|"
        r"published, broadcast)|"
        r"without (?:prior|written|express)(?: written)? (?:permission|consent)|tous droits|"
        r"reproduction (?:interdite|sans)|"
        r"alle rechte|rechte vorbehalten|vervielfältigung|todos los derechos|derechos reservados|prohibida (?:la|"
        r"su) reproducci|"
        r"todos os direitos|direitos reservados|é proibida a reprodu|tutti i diritti|riproduzione riservata|"
        r"alle rechten|auteursrecht|"
        r"alla rättigheter|alle rettigheter|kaikki oikeudet|wszelkie prawa|права защищены|перепечатк|усі права|"
        r"tüm hakları|"
        r"izinsiz|hak cipta|dilarang (?:meng|mem)|bản quyền"
    ),
    "sharing": (
        r"connect with us|"
        r"share (?:this|on|via|your|article|story|now)\b|^share\b|facebook|twitter|whatsapp|telegram\b|linkedin|"
        r"pinterest|reddit|instagram|"
        r"youtube|tiktok|threads\b|bluesky|copy (?:the )?link|read later|follow (?:us|me|him|her|them)|like us|"
        r"e-?mail this|"
        r"^e-?mail$|^print\b|print this|"
        r"save (?:this|stories|for later|article|to)|bookmark|gift (?:this|article)|^tweet\b|add us|google news|"
        r"partage[rz]|suivez|teilen\b|folgen sie|"
        r"compart[ei]|sígue|síganos|compartilh|siga (?:a|o|nos|-nos)|condividi|seguici|delen\b|volg ons|dela\b|"
        r"följ oss|udostępnij|"
        r"поделит|подписывайтесь|paylaş|takip ed|bagikan|ikuti (?:kami|kanal)|chia sẻ|theo dõi"
    ),
    "app": (
        r"(?:download|get|install|our|mobile) (?:[\w’\']+ ){0,2}apps?\b|app store|google play|play store|"
        r"télécharge[rz]|"
        r"app (?:herunter|laden)|unsere app|(?:descarg\w+|nuestra|la) app|baixe\b|nosso (?:app|aplicativo)|"
        r"aplicativo d|scarica|"
        r"download de app|ladda ner|pobierz|скача(?:ть|йте)|приложени|uygulama|unduh|aplikasi|tải (?:app|ứng)"
    ),
    "advertising": (
        r"advertis(?:e|ement|ing)s?\b|sponsored\b|promoted\b|paid (?:content|post|partner)|story continues|"
        r"article continues|continues? (?:below|after)|"
        r"^loading\W*$|"
        r"continue reading|scroll (?:down )?to continue|skip (?:ad|promotion|past)|(?:ad|newsletter) promotion|"
        r"publicité|la suite après|anzeige\b|werbung\b|publicidad|continú?a (?:leyendo|después)|publicidade|"
        r"continua (?:após|depois)|"
        r"pubblicità|continua a leggere|advertentie|annons\b|mainos\b|reklam|реклам|iklan\b|quảng cáo"
    ),
    "others": (
        r"related\b|suggested (?:topics|stories|reading|for)|featured (?:stories|articles|news)|most (?:read|"
        r"popular|viewed|shared|commented|recent|watched)|"
        r"top (?:news|stories|picks|videos?|headlines)|trending|"
        r"latest (?:news|stories|videos?|from|in|headlines|updates)|recommended|(?:more|also|next|read|"
        r"latest) (?:from|on|in|by|about|for you|stories|news|articles|coverage|like|to read)\b|keep reading|"
        r"editors?['’]? (?:picks?|choice)|you (?:may|might) (?:also )?(?:like|be interested|have missed)|up next|"
        r"don['’]t miss|in case you missed|popular (?:now|stories|in|on)|"
        r"must[- ]reads?|(?:today|week)['’]s (?:paper|top|headlines|best)|explore more|see (?:also|more|all)\b|"
        r"what to read|more stories|around the web|"
        r"previous (?:article|story|post)|next (?:article|story|post)|^topics?\b|^tags?\b|^filed under|"
        r"in this (?:section|package)|"
        r"(?:sur|dans) l[ea] même|les plus (?:lus|consultés|populaires)|à la une|vous pourriez|à (?:lire|voir|"
        r"découvrir) aussi|(?:nos|articles) (?:recommand|associ|liés)|l['’]essentiel|services le monde|"
        r"mehr (?:zum|aus|zu|von)|meist ?gelesen|das könnte|auch interessant|neueste|zur startseite|empfohlen|"
        r"(?:lo )?más (?:le[ií]d|vist|popular|noticias|información|sobre|de|en)|te puede interesar|relacionad|"
        r"últimas? (?:noticias|hora)|te recomendamos|"
        r"(?:as )?mais (?:lid|vist|popular)|veja (?:também|mais)|últimas notícias|recomendad|tópicos relacionados|"
        r"(?:i )?più (?:lett|vist)|potrebbe(?:ro)? (?:interessarti|piacerti)|ultime notizie|correlat|"
        r"meest gelezen|meer (?:over|uit)|mest (?:läst|lest|læst)|luetuimmat|najczęściej|czytaj|polecane|"
        r"читайте|самое (?:читаемое|интересное)|популярн|главн(?:ые|ое) (?:новости|сейчас)|по теме|материалы по теме|"
        r"новости по|"
        r"ilgili (?:haber|içerik)|çok okunan|son dakika|benzer|berita (?:terkait|terkini|terpopuler|lainnya)|"
        r"terpopuler|artikel terkait|topik|tin (?:liên quan|nổi bật|cùng)|xem thêm"
    ),
    "service": (
        r"contact us|about us|help cent(?:re|er)|^help$|feedback|careers|site ?map|customer (?:service|care)|faqs?\b|"
        r"was this (?:article|story|page|helpful)|(?:did|do) you (?:like|enjoy)|cet article vous|"
        r"war dieser artikel|report (?:an? )?(?:\w+ )?(?:error|typo|problem|issue|correction)|"
        r"about the (?:author|writer)s?$|"
        r"(?:view|open|see|enlarge) (?:the )?(?:image|picture|photo|gallery|slideshow)(?: in full ?screen)?|"
        r"bild vergrößern|ampliar (?:foto|imagen)|editorial code|"
        r"(?:news|story) tips?|send (?:us|your|tips)|write to us|back to top|go to (?:top|home)|skip to|^menu$|"
        r"^search$|^close$|^home$|e-?paper|"
        r"^(?:ir|saltar) al contenido|zum inhalt|(?:aller|passer) au contenu|vai al contenuto|"
        r"(?:ir|pular) para o conteúdo|naar (?:de )?inhoud|till innehåll|"
        r"listen to (?:this|the) (?:article|story|post)|this article (?:is|was) (?:generated|read) by|toggle|"
        r"^subscribe|switch to|"
        r"(?:read|view) (?:it )?in|epaper|printed edition|ways to read|want to (?:know|read|see) more|we (?:want|"
        r"would love|would like) to hear|we['’]d (?:like|love) to hear|"
        r"contactez|signaler une|écoute[rz] (?:l|cet)|retour en haut|kontakt\b|fehler (?:gefunden|melden)|"
        r"hinweis(?:e)? an|artikel (?:hören|anhören|drucken)|nach oben|"
        r"cont[aá]ct(?:e|an|en|o)|escucha[r]? (?:este|la)|fale conosco|comunicar erro|ouça|voltar ao topo|contattaci|"
        r"segnala|torna su|ascolta(?: l['’]articolo)?|"
        r"tip (?:ons|de)|naar boven|tipsa oss|kontakta oss|заметили ошибку|нашли ошибку|ctrl|hubungi|iletişim|liên hệ"
    ),
}  # fmt: skip
# Greek, Czech, Romanian, Hungarian.
_FURTHER: Mapping[str, str] = {
    "account": (
        r"συνδεθείτε|σύνδεση\b|εγγραφ\w*|λογαριασμ\w*|přihl[aá]\w*|registruj\w*|registrac\w*|heslo\b|autentific\w*|"
        r"conectea\w*|contul\b|parola\b|bejelentkez\w*|regisztr\w*|jelszó\w*|fiók\w*"
    ),
    "membership": r"συνδρομ\w*|předplat\w*|odemkn\w*|abonea\w*|előfizet\w*",
    "newsletter": r"ενημερωτικ\w+ δελτί\w*|newsletteru?\b|odběr\w*|hírlevél\w*|hírlevel\w*",
    "comments": r"σχόλι\w*|σχολι[αά]\w*|koment[áo]\w*|diskus[ei]\w*|comentari\w*|hozzászól\w*|komment\w*",
    "privacy": (
        r"απόρρητο\w*|απορρήτου|προσωπικ\w+ δεδομέν\w*|όρ(?:οι|ους) χρήσης|ochran\w+ (?:soukromí|osobních)|"
        r"podmínk\w+ (?:užití|použ\w*)|confidențialit\w*|prelucrarea datelor|adatvédel\w*|felhasználási feltétel\w*"
    ),
    "rights": r"επιφύλαξη παντός|všechna práva|toate drepturile|minden jog",
    "sharing": (
        r"κοινοποί\w*|ακολουθήστε|μοιραστείτε|sdíle\w*|sledujte n[aá]s|distribui\w*|urmări(?:ți|ți-ne|t)\w*|"
        r"urmărește-ne|megoszt\w*|kövess\w*"
    ),
    "app": r"την εφαρμογή|κατεβάστε|stáhně\w*|aplikac\w*|descarcă|aplicați\w*|töltse? le|alkalmazás\w*",
    "advertising": r"διαφήμιση|publicitate|hirdetés",
    "others": (
        r"δημοφιλ\w*|διαβάστε (?:επίσης|ακόμ\w+)|σχετικά (?:άρθρα|νέα|θέματα)|τελευταία νέα|nejčten\w*|souvisejíc\w*|"
        r"čtěte (?:také|i|dále)|mohlo by vás|citește și|cele mai citite|știri similare|legolvasottabb|kapcsolódó"
    ),
    "service": r"επικοινωνία\b|nahlásit chybu|contactea\w*|írjon nekünk",
}
_OTHER_SCRIPTS: Mapping[str, str] = {
    "account": (
        "लॉग ?इन|लॉगिन|साइन ?(?:इन|अप)|रजिस्ट(?:र|्रेशन)|पंजीक|अकाउंट|खाता बना|पासवर्ड|تسجيل (?:الدخول|حساب)|"
        "سج[ّ]?لوا?(?= )|إنشاء حساب|حسابك|"
        "كلمة (?:المرور|السر)|لاگ ?ان|سائن ?(?:ان|اپ)|اکاؤنٹ|رجسٹر|ログイン|会員登録|新規登録|アカウント|"
        "パスワード|サインイン|登录|登錄|登入|注册|註冊|"
        "账号|帳號|로그인|회원가입|"
        "계정|비밀번호|লগ ?ইন|নিবন্ধন|உள்நுழை|เข้าสู่ระบบ|สมัครสมาชิก|הרשמ|התחבר|להתחבר|ورود|ثبت‌نام|ثبت نام"
    ),
    "membership": (
        "सब्सक्राइब|सब्स?क्रि|सदस्य(?:ता| बन)|मेंबर|اشترك|اشتراك|للمشتركين|سبسکرائب|ممبر|購読|会員限定|"
        "有料会員|無料会員|有料記事|定期購読|"
        "プレミアム|残り[:：]?\\s?\\d+文字|订阅|訂閱|会员|會員|"
        "구독|유료회원|프리미엄|সাবস্ক্রাইব|গ্রাহক|สมาชิก|מנוי|اشتراک"
    ),
    "newsletter": (
        "न्यूज़?लेटर|नोटिफिकेशन|अलर्ट|बुलेटिन|النشرة (?:البريدية|الإخبارية)|نشرتنا|إشعارات|نیوز ?لیٹر|نوٹیفکیشن|"
        "メールマガジン|メルマガ|ニュースレター|メール配信|通知を?受|"
        "新闻邮件|电子报|電子報|推送|뉴스레터|알림|নিউজলেটার|จดหมายข่าว|ניוזלטר|דיוור|خبرنامه"
    ),
    "comments": (
        "टिप्पणि|टिप्पणी|कमेंट|कॉमेंट|التعليق|تعليق(?:ات|ك)?|شاركنا|تبصر[ہے]|کمنٹ|コメント|投稿規約|ご意見|"
        "评论|評論|留言|跟帖|댓글|"
        "মন্তব্য|கருத்து|ความคิดเห็น|תגוב|نظر(?:ات| شما)|دیدگاه"
    ),
    "privacy": (
        "कुकी|गोपनीयता|प्राइवेसी|नियम (?:और|व|एवं) शर्त|शर्तें|ملفات تعريف|الارتباط|الخصوصية|سياسة|شروط الاست|کوکی|"
        "رازداری|پرائیویسی|クッキー|Cookie|プライバシー|利用規約|個人情報|"
        "隐私|隱私|用户协议|쿠키|개인정보|이용약관|কুকি|গোপনীয়তা|คุกกี้|ความเป็นส่วนตัว|פרטיות|עוגיות|"
        "תנאי שימוש|حریم خصوصی"
    ),
    "rights": (
        "©|ⓒ|सर्वाधिकार|कॉपीराइट|جميع الحقوق|حقوق النشر|جملہ حقوق|کاپی رائٹ|無断(?:転載|複製|複写|引用)|禁無断|"
        "転載を禁|著作権|版权|版權|"
        "未经(?:授权|许可)|轉載|转载|"
        "무단 ?전재|재배포|저작권|সর্বস্বত্ব|ลิขสิทธิ์|כל הזכויות|کلیه حقوق"
    ),
    "sharing": (
        "शेयर|साझा करें|फॉलो|फ़ॉलो|फेसबुक|ट्विटर|व्हाट्सएप|वॉट्सऐप|यूट्यूब|شارك(?= |$)|مشاركة|تابعنا|تابعونا|فيسبوك|"
        "تويتر|واتساب|شیئر|فالو|فیس بک|واٹس|シェア|フォロー|ツイート|ポストする|"
        "印刷|ブックマーク|分享|关注我们|微信|微博|공유|페이스북|카카오|শেয়ার|แชร์|שתפו|שיתוף|עקבו|"
        "اشتراک‌گذاری|دنبال کنید"
    ),
    "app": (
        "ऐप|एप डाउनलोड|डाउनलोड|تطبيق(?:نا)?|حم[ّ]?ل|ایپ|ڈاؤن لوڈ|アプリ|ダウンロード|客户端|下载|下載|앱|অ্যাপ|"
        "แอป|אפליקצי|اپلیکیشن"
    ),
    "advertising": (
        "विज्ञापन|إعلان(?:ات)?|اعلان|اشتہار|広告|スポンサー|^PR$|广告|廣告|광고|বিজ্ঞাপন|โฆษณา|פרסומת|تبلیغات"
    ),
    "others": (
        "संबंधित|यह भी पढ़|ये भी पढ़|इसे भी पढ़|यहां पढ़|ताज़?ा (?:खबर|ख़बर|समाचार)|(?:सबसे )?ज़?्यादा पढ़|ट्रेंडिंग|"
        "और पढ़ें|बड़ी (?:खबरें|ख़बरें)|टॉप न्यूज़?|लेटेस्ट|टैग|"
        "اقرأ (?:أيض|ايض|المزيد)|مواضيع|أخبار ذات|الأكثر|ذات صلة|المزيد (?:من|عن|في)|شاهد أيض|آخر الأخبار|یہ بھی پڑھ|"
        "مزید پڑھ|متعلقہ|تازہ ترین|مقبول|"
        "関連(?:記事|ニュース|リンク|トピック|キーワード)|あわせて読|おすすめ|ランキング|人気(?:記事|の)|"
        "最新(?:記事|ニュース)|注目(?:記事|の)|こちらも|トップニュース|前の記事|次の記事|"
        "相关(?:新闻|阅读|文章)|相關(?:新聞|閱讀)|推荐阅读|推薦|热门|熱門|热点|最新消息|관련 ?(?:기사|뉴스)|"
        "많이 본|인기 ?(?:기사|뉴스)|추천|최신 ?뉴스|আরও পড়ুন|"
        "আরো পড়ুন|সম্পর্কিত|ข่าวที่เกี่ยวข้อง|"
        "อ่านเพิ่มเติม|קראו (?:גם|עוד)|כתבות נוספות|עוד ב|بیشتر بخوانید|مطالب مرتبط|پربازدید"
    ),
    "service": (
        "हमसे संपर्क|हमारे बारे|गलती (?:बताएं|मिली)|اتصل بنا|من نحن|تواصل معنا|راسلنا|ہم سے رابطہ|お問い合わせ|"
        "ご利用|ヘルプ|"
        "サイトマップ|ページトップ|記事を聴く|联系我们|关于我们|返回顶部|责任编辑|"
        "문의|제보|고객센터|기사 ?듣기|যোগাযোগ|ติดต่อ|צרו קשר|תמיכה|تماس با ما"
    ),
}  # fmt: skip

CONCEPTS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(rf"(?<!\w)(?:{_CASED[name]}|{_FURTHER[name]})|{_OTHER_SCRIPTS[name]}", re.IGNORECASE)
    for name in _CASED
}

# The reader addressed: pronouns and polite imperatives, where a language has words of their own for it.
TO_READER = re.compile(
    r"(?<!\w)(?:you|you['’](?:re|ve|ll|d)|yours?|yourself|please|kindly|vous|votre|vos|veuillez|ihre?[mnrs]?|bitte|"
    r"usted(?:es)?|tus?|tú|você|vocês|"
    r"(?:sua|seu|suas|seus) (?:conta|e-?mail|assinatura|caixa)|por favor|tuo|tua|tuoi|jouw?|uw|je|din|ditt|dina|"
    r"twoj\w*|twój|вы|вас|вам|ваш\w*|"
    r"σας|σου|εσείς|vám|vás|vaš\w*|dumneavoastră|önök?\w*|"
    r"пожалуйста|ви|вашу?|siz\w*|lütfen|anda|silakan|kamu|bạn|vui lòng)(?!\w)|आप|अपन[ाीे]|कृपया|(?:يرجى|الرجاء|لك |"
    r"لديك|بريدك|يمكنك)|آپ|اپن[اےی]|براہ|ください|下さい|できます|"
    r"您|你|请|請|하세요|하십시오|주세요|습니까|আপনা|คุณ|กรุณา|שלכם|שלך|אתם|شما|لطف",
    re.IGNORECASE,
)
# The site speaking: we, our, this site.
OF_SITE = re.compile(
    r"(?<!\w)(?:we|we['’](?:re|ve|ll|d)|our|ours|us|(?:this|our) (?:site|website|web site|platform|page|service|"
    r"newspaper)|nous|nos|notre|ce site|"
    r"wir|uns|unsere?[mnrs]?|diese (?:seite|website)|nosotros|nuestr[ao]s?|este sitio|esta web|nós|noss[ao]s?|"
    r"este site|noi|nostr[aeio]|questo sito|"
    r"μας|náš|nás|naše|nostr[ui]|noastr\w*|nálunk|"
    r"wij|we|ons|onze|deze site|vi|vår[at]?|denna webbplats|nasz\w*|мы|наш\w*|нас|сайт\w*|biz\w*|sitemiz\w*|kami|"
    r"situs ini|chúng tôi)(?!\w)|"
    r"हम(?:ारे|ारी|ारा)?(?= )|वेबसाइट|نحن|موقعنا|الموقع|ہماری|ہمارے|ویب سائٹ|当社|本紙|当サイト|弊社|本サイト|"
    r"本网|我们|我們|本站|저희|본지|우리|"
    r"আমাদের|เรา|שלנו|אנחנו|ما(?= )",
    re.IGNORECASE,
)
# A person speaking, or spoken of: I, my, he, her.
OF_PERSON = re.compile(
    r"(?<!\w)(?:i|i['’](?:m|ve|d|ll)|my|mine|me|he|she|his|her|hers|him|je|j['’]ai|mon|ma|elle|ich|mein\w{0,2}|mich|"
    r"mir|yo|mi|mis|eu|meu|minha|ela|io|mio|mia|lei|lui|ik|mijn|hij|"
    r"jag|min|jeg|ja|mój|moja|я|мой|моя|мне|меня|он|она|его|её|ben|benim|saya|tôi)(?!\w)|मैं|मेर[ाीे]|मुझे|"
    r"(?<!\w)أنا(?!\w)|میں نے|میر[ایے]|私は|僕|俺|彼|我的|나는|저는",
    re.IGNORECASE,
)
# What a box asks one to do: verbs at its beginning.
ASKS = re.compile(
    r"(?:sign|log|subscribe|register|connect|click|tap|download|follow|join|get|access|enter|choose|support|try|buy|become|"
    r"unlock|enjoy|read|save|share|manage|start|create|upgrade|update|allow|accept|verify|check|submit|report|post|"
    r"discover|stay|never miss|receive|"
    r"abonnez|inscrivez|connectez|recevez|découvrez|suivez|profitez|lisez|accédez|jetzt|lesen|melden|erhalten|testen|"
    r"folgen|unterstützen|"
    r"suscríb|regístr|inicia|recibe|accede|disfruta|descarga|sigue|assine|cadastre|receba|acesse|baixe|siga|"
    r"aproveite|leia|abbonati|iscriviti|ricevi|accedi|"
    r"εγγραφείτε|ακολουθήστε|κατεβάστε|přihlaste|sledujte|abonează|urmăr|iratkoz|kövess|"
    r"abonneer|meld|ontvang|lees|volg|prenumerera|logga|zapisz|dołącz|подпи|войдите|читайте|получайте|скачайте|abone|"
    r"kaydol|dapatkan|ikuti|unduh|baca|daftar)\w*(?!\w)",
    re.IGNORECASE,
)
# Labels before the title of another story, in the middle of one.
POINTER = re.compile(
    r"[▶►➤→>»*•\-–\[( ]{0,4}(?:(?:read|see|watch|listen|hear|view|explained|also|related|more|in pics?|in photos?|"
    r"gallery|explainer|editorial|opinion|analysis|video|podcast|data|interview|"
    r"live|recap|from the archives?|go deeper|dig deeper|background|fact ?check|don['’]t miss|recommended|catch up|"
    r"what we know|"
    r"lire|à lire|voir|à voir|écouter|décryptage|reportage|lesen|mehr|lea|lee|leer|te puede interesar|ver|mira|leia|"
    r"veja|saiba|ouça|leggi|guarda|lees|läs|les|læs|zobacz|czytaj|przeczytaj|читайте|смотрите|"
    r"baca|simak|oku|ayrıca|xem|đọc)(?!\w)[^|:：.!?]{0,32}?|"
    r"(?:यह|ये|इसे|यहां|और) ?भी? ?पढ़\S{0,4}|(?:देखें|पढ़ें)|اقرأ (?:أيض|ايض|المزيد)\S{0,3}|شاهد(?: أيض\S{0,3})?|"
    r"یہ بھی (?:پڑھ|دیکھ)\S{0,4}|مزید (?:پڑھ)\S{0,4}|"
    r"【?(?:関連記事|関連|あわせて読みたい|写真|動画|こちらも)】?|相关(?:新闻|阅读)|延伸阅读|관련 ?기사)"
    r" ?(?:[|:：｜►▶»]| [-–—>→] |】) ?(?=\S)",
    re.IGNORECASE,
)
# The same on a line of its own, over such titles.
POINTERS_HEAD = re.compile(
    r"(?:also|must|related|recommended) (?:read|watch|listen)s? ?[:：]?\s?$|"
    r"[▶►➤→>»*•\-–\[( ]{0,4}(?:read|see|watch|listen|lire|à lire|voir|lesen|lea|lee|leer|leia|veja|saiba|leggi|"
    r"guarda|lees|läs|les|læs|zobacz|czytaj|przeczytaj|читайте|смотрите|baca|simak|oku|xem|đọc|"
    r"यह भी|ये भी|इसे भी|اقرأ|شاهد|یہ بھی|مزید|あわせて読み)(?: ?(?:also|more|next|too|aussi|encore|auch|mehr|"
    r"también|más|"
    r"também|mais|anche|di più|ook|meer|också|mer|også|także|również|też|также|ещё|juga|lagi|ayrıca|thêm|"
    r"पढ़ें|पढ़िए|देखें|أيضا|أيضًا|ايضا|المزيد|پڑھیں|دیکھیں|たい)){1,2} ?[:：]?\s?$",
    re.IGNORECASE,
)
