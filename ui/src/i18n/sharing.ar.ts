import type { sharingEn } from "./sharing.en.ts";
import type { Text } from "./index.ts";

export const sharingAr: Readonly<Record<keyof typeof sharingEn, Text>> = {
  "share.more": "جهة اتصال أو مكان، مؤقت",
  "share.contact": "بطاقة جهة اتصال",
  "share.contact.text": "كل من في هذه المحادثة يرى الاسم الذي تعرف به هذا الشخص ومعرّف حسابه. اسأله أولًا.",
  "share.contact.link": "رابط اتصال أعطاك إياه هذا الشخص لتمريره (يمكن تركه فارغًا)",
  "share.contact.none": "ليس لديك جهات اتصال بعد.",
  "share.place": "مكان",
  "share.place.text": "الدرجات شمالًا وشرقًا كما تظهر في الخرائط. لا تُحمَّل أي خريطة لديك ولا لدى الآخرين.",
  "share.place.label": "خط العرض، خط الطول",
  "share.place.wrong": "أدخل رقمين، مثل 52.3702, 4.8952.",
  "card.of": "بطاقة جهة الاتصال {name}",
  "card.account": "الحساب {id}",
  "card.me": "هذا أنت.",
  "card.known": "جهة اتصالك {name}",
  "card.unknown": "ليس من جهات اتصالك. اطلب منه رابط اتصال إن أردت مراسلته.",
  "card.claim": "الاسم هو ما يسمّي به المُرسِل هذا الشخص. قارن رقم الأمان بعد إضافته.",
  "card.add": "إضافة {name}",
  "place.within": "ضمن {metres} م",
  "downloads.title": "الملفات التي تصل تلقائيًا",
  "downloads.text": "الأكبر حجمًا ينتظر حتى تفتحه. لهذا الجهاز فقط. لا يصل شيء تلقائيًا ممن لم تقبلهم.",
  "downloads.free": "حتى",
  "downloads.costs": "على شبكة محدودة البيانات، حتى",
  "downloads.metered": "هذه الشبكة محدودة البيانات",
  "downloads.metered.text": "تنتظر الصور الظاهرة أيضًا إلا ضمن ذلك الحد.",
  "downloads.none": "لا شيء",
};
