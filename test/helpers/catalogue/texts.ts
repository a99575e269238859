/**
 * Phrases of update documents in the 36 languages that real bundles and drivers name. Written for the
 * generator; `{p}` is the product, `{d}` year and month, `{a}` the processor, `{k}` the article.
 */
export interface Phrases {
  /** short tag as WSUS writes it */
  readonly language: string;
  readonly title: string;
  readonly description: string;
  readonly uninstallNotes: string;
}

const ROWS: readonly (readonly [string, string, string, string])[] = [
  [
    'en',
    '{d} Cumulative Update for {p} for {a}-based Systems (KB{k})',
    'A security issue has been identified in {p} that could affect your system. You can help protect your system by installing this update. For a complete listing of what it contains, read the associated article. After you install it, you may have to restart your computer.',
    'To remove this update, open the list of installed updates in Control Panel and select it there.',
  ],
  [
    'ar',
    '{d} تحديث تراكمي لنظام {p} للأنظمة المستندة إلى {a} (KB{k})',
    'تم تحديد مشكلة أمان في {p} قد تؤثر على جهازك. يمكنك المساعدة في حماية الجهاز بتثبيت هذا التحديث. لمعرفة كل ما يحتويه اقرأ المقالة المرتبطة به. بعد التثبيت قد يلزم إعادة تشغيل الكمبيوتر.',
    'لإزالة هذا التحديث افتح قائمة التحديثات المثبتة في لوحة التحكم وحدده هناك.',
  ],
  [
    'bg',
    '{d}: сборна актуализация за {p} за системи с процесор {a} (KB{k})',
    'Открит е проблем със сигурността в {p}, който може да засегне вашата система. Помогнете да я защитите, като инсталирате тази актуализация. За пълния ѝ списък прочетете свързаната статия. След инсталирането може да се наложи рестартиране.',
    'За да премахнете актуализацията, отворете списъка с инсталирани актуализации в контролния панел.',
  ],
  [
    'zh-tw',
    '{d} 適用於 {a} 系統之 {p} 的累積更新 (KB{k})',
    '已在 {p} 中發現可能影響您系統的安全性問題。安裝此更新即可協助保護您的系統。如需內容的完整清單，請閱讀相關文章。安裝之後可能必須重新啟動電腦。',
    '若要移除此更新，請在控制台開啟已安裝的更新清單並選取它。',
  ],
  [
    'cs',
    '{d} Souhrnná aktualizace pro {p} pro systémy s procesorem {a} (KB{k})',
    'V produktu {p} byl nalezen problém se zabezpečením, který může ovlivnit váš systém. Instalací této aktualizace pomůžete systém chránit. Úplný seznam obsahu najdete v souvisejícím článku. Po instalaci bude možná nutné restartovat počítač.',
    'Chcete-li aktualizaci odebrat, otevřete v Ovládacích panelech seznam nainstalovaných aktualizací.',
  ],
  [
    'da',
    '{d} Samlet opdatering til {p} til {a}-baserede systemer (KB{k})',
    'Der er fundet et sikkerhedsproblem i {p}, som kan påvirke dit system. Du kan beskytte systemet ved at installere denne opdatering. Læs den tilhørende artikel for at se alt, hvad den indeholder. Du skal muligvis genstarte computeren bagefter.',
    'Opdateringen fjernes ved at åbne listen over installerede opdateringer i Kontrolpanel.',
  ],
  [
    'de',
    '{d} Kumulatives Update für {p} für {a}-basierte Systeme (KB{k})',
    'In {p} wurde ein Sicherheitsproblem gefunden, das Ihr System betreffen kann. Schützen Sie das System, indem Sie dieses Update installieren. Alles, was es enthält, steht im zugehörigen Artikel. Nach der Installation müssen Sie den Computer gegebenenfalls neu starten.',
    'Zum Entfernen öffnen Sie in der Systemsteuerung die Liste der installierten Updates.',
  ],
  [
    'el',
    '{d} Αθροιστική ενημέρωση για {p} για συστήματα {a} (KB{k})',
    'Εντοπίστηκε ένα ζήτημα ασφαλείας στο {p} που μπορεί να επηρεάσει το σύστημά σας. Μπορείτε να το προστατέψετε εγκαθιστώντας αυτήν την ενημέρωση. Για όλα όσα περιέχει διαβάστε το σχετικό άρθρο. Ίσως χρειαστεί επανεκκίνηση του υπολογιστή.',
    'Για κατάργηση ανοίξτε τη λίστα εγκατεστημένων ενημερώσεων στον Πίνακα Ελέγχου.',
  ],
  [
    'es',
    '{d} Actualización acumulativa de {p} para sistemas basados en {a} (KB{k})',
    'Se ha encontrado un problema de seguridad en {p} que podría afectar a su sistema. Ayude a protegerlo instalando esta actualización. Para ver todo lo que contiene, lea el artículo asociado. Después de instalarla puede ser necesario reiniciar el equipo.',
    'Para quitar la actualización, abra la lista de actualizaciones instaladas en el Panel de control.',
  ],
  [
    'fi',
    '{d} Kumulatiivinen päivitys: {p} {a}-pohjaisille järjestelmille (KB{k})',
    'Tuotteesta {p} on löytynyt suojausongelma, joka voi vaikuttaa järjestelmääsi. Voit suojata järjestelmän asentamalla tämän päivityksen. Koko sisältö on lueteltu siihen liittyvässä artikkelissa. Tietokone on ehkä käynnistettävä uudelleen.',
    'Poista päivitys avaamalla Ohjauspaneelissa asennettujen päivitysten luettelo.',
  ],
  [
    'fr',
    '{d} Mise à jour cumulative pour {p} pour les systèmes {a} (KB{k})',
    'Un problème de sécurité découvert dans {p} peut affecter votre système. Contribuez à le protéger en installant cette mise à jour. Pour tout savoir de son contenu, lisez l’article associé. Après l’installation, un redémarrage peut être nécessaire.',
    'Pour supprimer la mise à jour, ouvrez la liste des mises à jour installées dans le Panneau de configuration.',
  ],
  [
    'he',
    '{d} עדכון מצטבר עבור {p} למערכות מבוססות {a} (KB{k})',
    'זוהתה בעיית אבטחה ב-{p} העלולה להשפיע על המערכת שלך. באפשרותך לסייע בהגנה עליה על-ידי התקנת עדכון זה. לרשימה המלאה של תוכנו קרא את המאמר המשויך. לאחר ההתקנה ייתכן שיהיה עליך להפעיל מחדש את המחשב.',
    'להסרת העדכון פתח את רשימת העדכונים המותקנים בלוח הבקרה.',
  ],
  [
    'hu',
    '{d} összegző frissítés: {p}, {a} alapú rendszerekhez (KB{k})',
    'A(z) {p} egyik biztonsági hibája hatással lehet a rendszerére. A frissítés telepítésével védheti a rendszert. A teljes tartalmat a kapcsolódó cikk sorolja fel. A telepítés után lehet, hogy újra kell indítania a számítógépet.',
    'Eltávolításhoz nyissa meg a Vezérlőpulton a telepített frissítések listáját.',
  ],
  [
    'it',
    '{d} Aggiornamento cumulativo per {p} per sistemi basati su {a} (KB{k})',
    'È stato trovato un problema di sicurezza in {p} che potrebbe interessare il sistema. Per proteggerlo, installare questo aggiornamento. L’elenco completo del contenuto è nell’articolo associato. Dopo l’installazione potrebbe essere necessario riavviare il computer.',
    'Per rimuoverlo, aprire l’elenco degli aggiornamenti installati nel Pannello di controllo.',
  ],
  [
    'ja',
    '{d} {a} ベース システム用 {p} の累積更新プログラム (KB{k})',
    '{p} にシステムへ影響する可能性のあるセキュリティ上の問題が見つかりました。この更新プログラムをインストールすると、システムの保護に役立ちます。内容の一覧は関連する記事をご覧ください。インストール後、コンピューターの再起動が必要になる場合があります。',
    '削除するには、コントロール パネルでインストールされた更新プログラムの一覧を開いてください。',
  ],
  [
    'ko',
    '{d} {a} 기반 시스템용 {p} 누적 업데이트(KB{k})',
    '{p}에서 시스템에 영향을 줄 수 있는 보안 문제가 발견되었습니다. 이 업데이트를 설치하면 시스템을 보호하는 데 도움이 됩니다. 전체 내용은 관련 문서를 읽어 보세요. 설치한 후 컴퓨터를 다시 시작해야 할 수도 있습니다.',
    '제거하려면 제어판에서 설치된 업데이트 목록을 여세요.',
  ],
  [
    'nl',
    '{d} Cumulatieve update voor {p} voor systemen met {a} (KB{k})',
    'In {p} is een beveiligingsprobleem gevonden dat uw systeem kan treffen. Bescherm het systeem door deze update te installeren. Lees het bijbehorende artikel voor een volledig overzicht. Na de installatie moet de computer mogelijk opnieuw worden gestart.',
    'Verwijder de update via de lijst met geïnstalleerde updates in het Configuratiescherm.',
  ],
  [
    'no',
    '{d} Kumulativ oppdatering for {p} for {a}-baserte systemer (KB{k})',
    'Det er funnet et sikkerhetsproblem i {p} som kan påvirke systemet. Du kan beskytte det ved å installere denne oppdateringen. Les den tilhørende artikkelen for en fullstendig oversikt. Det kan hende at datamaskinen må startes på nytt.',
    'Fjern oppdateringen fra listen over installerte oppdateringer i Kontrollpanel.',
  ],
  [
    'pl',
    '{d} Aktualizacja zbiorcza systemu {p} dla systemów opartych na {a} (KB{k})',
    'W produkcie {p} wykryto problem z zabezpieczeniami, który może dotyczyć tego systemu. System można chronić, instalując tę aktualizację. Pełną listę zawartości podano w skojarzonym artykule. Po instalacji może być konieczne ponowne uruchomienie komputera.',
    'Aby usunąć aktualizację, otwórz listę zainstalowanych aktualizacji w Panelu sterowania.',
  ],
  [
    'pt-br',
    '{d} Atualização cumulativa do {p} para sistemas baseados em {a} (KB{k})',
    'Foi identificado um problema de segurança em {p} que pode afetar o seu sistema. Ajude a protegê-lo instalando esta atualização. Leia o artigo associado para ver tudo o que ela contém. Depois da instalação, talvez seja preciso reiniciar o computador.',
    'Para removê-la, abra a lista de atualizações instaladas no Painel de Controle.',
  ],
  [
    'ro',
    '{d} Actualizare cumulativă pentru {p} pentru sisteme bazate pe {a} (KB{k})',
    'În {p} a fost identificată o problemă de securitate care poate afecta sistemul. Îl puteți proteja instalând această actualizare. Citiți articolul asociat pentru lista completă. După instalare poate fi necesară repornirea computerului.',
    'Pentru eliminare, deschideți lista de actualizări instalate din Panoul de control.',
  ],
  [
    'ru',
    '{d} Накопительное обновление для {p} для систем на базе {a} (KB{k})',
    'В {p} обнаружена проблема безопасности, которая может затронуть вашу систему. Установите это обновление, чтобы защитить её. Полный список содержимого приведён в связанной статье. После установки может потребоваться перезагрузка компьютера.',
    'Чтобы удалить обновление, откройте список установленных обновлений в панели управления.',
  ],
  [
    'hr',
    '{d} Kumulativno ažuriranje za {p} za sustave {a} (KB{k})',
    'U proizvodu {p} otkriven je sigurnosni problem koji može utjecati na vaš sustav. Zaštitite ga instaliranjem ovog ažuriranja. Potpuni popis sadržaja nalazi se u pridruženom članku. Nakon instalacije možda ćete morati ponovno pokrenuti računalo.',
    'Ažuriranje uklonite s popisa instaliranih ažuriranja na upravljačkoj ploči.',
  ],
  [
    'sk',
    '{d} Kumulatívna aktualizácia pre {p} pre systémy s procesorom {a} (KB{k})',
    'V produkte {p} sa našiel problém so zabezpečením, ktorý môže ovplyvniť váš systém. Nainštalovaním tejto aktualizácie ho pomôžete chrániť. Úplný zoznam obsahu je v súvisiacom článku. Po inštalácii môže byť potrebné reštartovať počítač.',
    'Ak ju chcete odstrániť, otvorte zoznam nainštalovaných aktualizácií v Ovládacom paneli.',
  ],
  [
    'sv',
    '{d} Kumulativ uppdatering för {p} för {a}-baserade system (KB{k})',
    'Ett säkerhetsproblem har hittats i {p} som kan påverka systemet. Skydda det genom att installera den här uppdateringen. Läs den tillhörande artikeln för allt som ingår. Datorn kan behöva startas om efter installationen.',
    'Ta bort uppdateringen i listan över installerade uppdateringar på Kontrollpanelen.',
  ],
  [
    'th',
    '{d} การอัปเดตแบบสะสมสำหรับ {p} สำหรับระบบที่ใช้ {a} (KB{k})',
    'พบปัญหาด้านความปลอดภัยใน {p} ที่อาจมีผลต่อระบบของคุณ คุณสามารถช่วยป้องกันระบบได้โดยติดตั้งการอัปเดตนี้ ดูรายการทั้งหมดได้ในบทความที่เกี่ยวข้อง หลังจากติดตั้งแล้ว คุณอาจต้องเริ่มคอมพิวเตอร์ใหม่',
    'หากต้องการเอาออก ให้เปิดรายการอัปเดตที่ติดตั้งในแผงควบคุม',
  ],
  [
    'tr',
    '{d} {a} tabanlı sistemler için {p} Toplu Güncelleştirmesi (KB{k})',
    '{p} içinde sisteminizi etkileyebilecek bir güvenlik sorunu bulundu. Bu güncelleştirmeyi yükleyerek sisteminizi koruyabilirsiniz. Tüm içeriği için ilgili makaleyi okuyun. Yüklemeden sonra bilgisayarınızı yeniden başlatmanız gerekebilir.',
    'Kaldırmak için Denetim Masası’nda yüklü güncelleştirmeler listesini açın.',
  ],
  [
    'uk',
    '{d} Накопичувальне оновлення для {p} для систем на базі {a} (KB{k})',
    'У {p} виявлено проблему безпеки, яка може вплинути на вашу систему. Установіть це оновлення, щоб захистити її. Повний перелік наведено у пов’язаній статті. Після встановлення може знадобитися перезапуск комп’ютера.',
    'Щоб видалити оновлення, відкрийте перелік установлених оновлень на панелі керування.',
  ],
  [
    'sl',
    '{d} Zbirna posodobitev za {p} za sisteme {a} (KB{k})',
    'V izdelku {p} je bila odkrita varnostna težava, ki lahko vpliva na vaš sistem. Zaščitite ga z namestitvijo te posodobitve. Celoten seznam vsebine je v povezanem članku. Po namestitvi boste morda morali znova zagnati računalnik.',
    'Posodobitev odstranite s seznama nameščenih posodobitev na nadzorni plošči.',
  ],
  [
    'et',
    '{d} Koondvärskendus: {p} {a}-põhistele süsteemidele (KB{k})',
    'Tootes {p} leiti turbeprobleem, mis võib teie süsteemi mõjutada. Kaitske süsteemi selle värskenduse installimisega. Täielik loend on seotud artiklis. Pärast installimist võib olla vaja arvuti taaskäivitada.',
    'Eemaldamiseks avage juhtpaneelil installitud värskenduste loend.',
  ],
  [
    'lv',
    '{d} Kumulatīvais atjauninājums: {p} {a} sistēmām (KB{k})',
    'Produktā {p} atrasta drošības problēma, kas var ietekmēt jūsu sistēmu. Aizsargājiet to, instalējot šo atjauninājumu. Pilns saraksts ir saistītajā rakstā. Pēc instalēšanas, iespējams, būs jārestartē dators.',
    'Lai noņemtu, vadības panelī atveriet instalēto atjauninājumu sarakstu.',
  ],
  [
    'lt',
    '{d} Kaupiamasis naujinimas: {p} {a} sistemoms (KB{k})',
    'Rasta {p} saugos problema, kuri gali paveikti jūsų sistemą. Apsaugokite ją įdiegdami šį naujinimą. Visas sąrašas pateiktas susijusiame straipsnyje. Įdiegus gali reikėti iš naujo paleisti kompiuterį.',
    'Norėdami pašalinti, valdymo skyde atverkite įdiegtų naujinimų sąrašą.',
  ],
  [
    'zh-cn',
    '{d} 适用于基于 {a} 的系统的 {p} 累积更新 (KB{k})',
    '已发现 {p} 中存在可能影响你的系统的安全问题。安装此更新有助于保护系统。有关完整内容列表，请阅读相关文章。安装之后，可能需要重新启动计算机。',
    '若要删除此更新，请在控制面板中打开已安装更新的列表。',
  ],
  [
    'pt',
    '{d} Atualização cumulativa do {p} para sistemas baseados em {a} (KB{k})',
    'Foi identificado um problema de segurança no {p} que pode afetar o seu sistema. Pode ajudar a protegê-lo instalando esta atualização. Consulte o artigo associado para saber tudo o que contém. Depois da instalação, poderá ter de reiniciar o computador.',
    'Para a remover, abra a lista de atualizações instaladas no Painel de controlo.',
  ],
  [
    'sr',
    '{d} Kumulativna ispravka za {p} za sisteme zasnovane na {a} (KB{k})',
    'U proizvodu {p} otkriven je bezbednosni problem koji može uticati na vaš sistem. Zaštitite ga instaliranjem ove ispravke. Potpuna lista nalazi se u povezanom članku. Posle instalacije možda ćete morati ponovo da pokrenete računar.',
    'Ispravku uklonite sa liste instaliranih ispravki na kontrolnoj tabli.',
  ],
  [
    'zh-hk',
    '{d} 適用於 {a} 系統 {p} 的累積更新 (KB{k})',
    '已在 {p} 中發現可能影響您系統的安全性問題。安裝此更新有助保護您的系統。如需完整清單，請參閱相關文章。安裝後可能需要重新啟動電腦。',
    '如要移除此更新，請在控制台開啟已安裝更新的清單。',
  ],
];

/** In no particular order, English first. */
export const PHRASES: readonly Phrases[] = ROWS.map(([language, title, description, uninstallNotes]) => ({
  language,
  title,
  description,
  uninstallNotes,
}));

/** Fills the `{name}` places of a phrase. */
export function fill(phrase: string, values: Readonly<Record<string, string>>): string {
  return phrase.replaceAll(/\{(\w)\}/g, (place, name: string) => values[name] ?? place);
}

/** Title and public id of the classifications; `undefined`: the seed chooses the id. */
export const CLASSIFICATIONS: readonly (readonly [string, string | undefined])[] = [
  ['Critical Updates', 'e6cf1350-c01b-414d-a61f-263d14d133b4'],
  ['Definition Updates', 'e0789628-ce08-4437-be74-2495b842f43b'],
  ['Drivers', 'ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0'],
  ['Security Updates', '0fa1201d-4330-4fa8-8ae9-b877473b6441'],
  ['Updates', 'cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83'],
  ['Update Rollups', '28bc880e-0592-4cbf-8f95-c79b17911d5f'],
  ['Service Packs', '68c5b0a3-d1a6-4553-ae49-01d3a7827828'],
  ['Feature Packs', 'b54e7d24-7add-428f-8b75-90a396fa584f'],
  ['Driver Sets', '77835c8d-62a7-41f5-82ad-f28d1af1e3b1'],
  ['Tools', 'b4832bd8-e735-4761-8daf-37f882276dab'],
  ['Upgrades', '3689bdc8-b205-4af4-8d4a-a63924c5e9d5'],
  ['Applications', '5c9376ab-8ce6-464a-b136-22113dd69801'],
  ['Connectors', undefined],
  ['Developer Kits', undefined],
  ['Guidance', undefined],
  ['Language Packs', undefined],
  ['Security Assessments', undefined],
  ['Signature Baselines', undefined],
  ['Hotfixes', undefined],
  ['Previews', undefined],
];

export const DEFENDER_TITLE = 'Microsoft Defender Antivirus';

/** Families with their products; ids only where they are public and often quoted. */
export const FAMILIES: readonly (readonly [
  string,
  string | undefined,
  readonly (readonly [string, string | undefined])[],
])[] = [
  [
    'Windows',
    '6964aab4-c5b5-43bd-a17d-ffb4346a8e1d',
    [
      ['Windows 11', '72e7624a-5b00-45d2-b92f-e561c0a6a160'],
      ['Windows 10', 'a3c2375d-0c8a-42f9-bce0-28333e198407'],
      [DEFENDER_TITLE, '8c3fcc84-7410-4a95-8b89-a166a0190486'],
      ['Windows Server 2022', undefined],
      ['Windows Server 2019', undefined],
      ['Windows Server 2016', undefined],
      ['Windows 10, version 1903 and later', undefined],
      ['Windows Server 2012 R2', undefined],
      ['Windows 8.1', undefined],
    ],
  ],
  [
    'Office',
    '477b856e-65c4-4473-b621-a8b230bb70d9',
    [
      ['Office 2016', undefined],
      ['Office 2019', undefined],
      ['Office 2013', undefined],
      ['SharePoint Server 2019', undefined],
    ],
  ],
  [
    'SQL Server',
    '0a4c6c73-8887-4d7f-9cbe-d08fa8fa9d1e',
    [
      ['SQL Server 2022', undefined],
      ['SQL Server 2019', undefined],
      ['SQL Server 2017', undefined],
    ],
  ],
  [
    'Exchange',
    '352f9494-d516-4b40-a21a-cd2416098982',
    [
      ['Exchange Server 2019', undefined],
      ['Exchange Server 2016', undefined],
    ],
  ],
  [
    'Developer Tools, Runtimes, and Redistributables',
    undefined,
    [
      ['Visual Studio 2022', undefined],
      ['.NET 8.0', undefined],
      ['.NET 6.0', undefined],
    ],
  ],
];
